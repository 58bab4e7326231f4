"""What is known of who made a contract: whose money it has (`funding`), and whether it attacked before (`labels`)."""
