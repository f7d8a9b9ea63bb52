"""What the notifier does with facts, with outcomes of attempts, and with what subscribers ask for."""
