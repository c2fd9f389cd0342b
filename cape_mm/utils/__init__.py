"""What every part may use: files, JSON, value checks, devices."""
