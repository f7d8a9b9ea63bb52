"""Issuers that an operator recognises: signed lists, kept, imported and handed on."""
