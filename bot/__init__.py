"""Door: somebody speaks. One conversation engine, dialogs that know no channel, and a mouth for each channel."""
