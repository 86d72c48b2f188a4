"""Where records come from: each file reads one kind of source, streaming, and gives records or what is wrong."""
