"""What one slice works on: a partition, its customers and their timers; and the customers kept between slices."""
