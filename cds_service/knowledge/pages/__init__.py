"""What the pages behind the cards say: plain data, made from the knowledge that runs. ``web`` gives it a face."""
