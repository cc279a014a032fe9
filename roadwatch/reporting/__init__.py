"""What a day's report says, and what those of several days say together: on a terminal, as a page, as JSON."""
