"""Many runs: a grid of settings, the plan of its runs, the processes that train them, and what they come to."""
