"""The pages a buyer sees: buy, pay, track."""
