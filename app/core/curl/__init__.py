"""From a curl command, as vendors print it in their documents, to a registration. Pure: nothing is called."""
