"""Plans that move machines: what is stored of them."""
