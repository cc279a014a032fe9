"""The way of a label: a day's examples, which of them are asked about, files for people and back, and what is kept."""
