"""Back room: all words. Catalogs keyed by language, pages, and nothing that decides."""
