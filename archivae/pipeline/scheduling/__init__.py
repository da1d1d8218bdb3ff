"""``archivae schedule``: this machine runs a policy again and again, by cron or by a timer of systemd."""
