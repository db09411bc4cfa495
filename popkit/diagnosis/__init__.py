"""Facts → verdict, causes, findings, impact. Fetches nothing."""
