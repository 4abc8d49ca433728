"""What a job shows to the outside: pages and control over HTTP, metrics, webhooks."""
