"""What you can ask: one frozen class per noun. Every door calls these, nothing else.

Each method is one verb and one transaction with its event in it. Services write
wishes; the runtime makes them true.
"""
