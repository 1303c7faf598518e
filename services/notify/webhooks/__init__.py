"""Facts on their way to other systems: taken up from the streams, posted, tried again."""
