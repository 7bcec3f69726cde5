«% include "spark/lakehouse.py" %»
