"""What can be known of a problem before, during and after a fit."""
