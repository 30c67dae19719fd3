"""Every setting, where its value comes from, and the forms it is shown in."""
