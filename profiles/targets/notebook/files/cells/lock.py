# @title «texts.lock.title|comment»
WANTED = «environment.wanted|reject("in", data.kernel_keeps)|list|json»
# «texts.lock.keeps|comment»
KEEPS = «data.kernel_keeps|json»
# «texts.lock.target|comment»
PYTHON, MACHINE = «environment.python», «machine.arch»
LOCK = """
«% for line in environment.lines %»
«line|line»
«% endfor %»
"""
