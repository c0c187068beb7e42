"""What an evaluation leaves behind: a table in the terminal, ``report.json``, ``report.html``, the model card."""
