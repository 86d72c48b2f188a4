"""Records → fingerprints, pages → matches. The only room where the linkage key and rapidfuzz live."""
