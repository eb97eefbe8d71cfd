"""What Prometheus scrapes: declared once, collected in the background, served as bytes."""
