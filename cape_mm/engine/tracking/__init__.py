"""Reading back what trainings have logged."""
