"""`attach`: a model server started as a child of this command, and registered for as long as both live."""
