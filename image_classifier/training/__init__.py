"""From settings and data to a finished run: the plan, the story, the loop; and a finished run put to work again."""
