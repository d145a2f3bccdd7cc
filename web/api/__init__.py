"""Door 2, for programs: the JSON API. It reads requests, calls use cases and shows values; it never touches storage or gateways."""
