/**
 * The AsyncAPI Initiative's own parser: reads the document named as argument and writes what it found, as JSON.
 */
import {readFileSync} from 'node:fs';
import {Parser} from '@asyncapi/parser';

const {document, diagnostics} = await new Parser().parse(readFileSync(process.argv[2], 'utf8'));
console.log(JSON.stringify({
  errors: diagnostics.filter(({severity}) => severity === 0).map(({message, path}) => `${path.join('.')}: ${message}`),
  warnings: diagnostics.filter(({severity}) => severity === 1).map(({message, path}) => `${path.join('.')}: ${message}`),
  channels: document ? document.channels().all().map(channel => channel.address()) : [],
  messages: document ? document.components().messages().all().map(message => message.name()) : []
}));
