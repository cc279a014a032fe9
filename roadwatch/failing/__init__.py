"""The failures of a day, a camera or an alert, analysed: from labels and pictures to groups, and a page that shows them."""
