"""The builder: joins the rooms and has the command line; nobody imports it."""
