# @title «lock.title»
WANTED = «WANTED»
# «lock.keeps»
KEEPS = «KEEPS»
# «lock.target»
PYTHON, MACHINE = «PYTHON», «MACHINE»
LOCK = """
«LOCK»
"""
