#!/bin/sh
echo 'table inet host { chain input { type filter hook input priority filter; policy drop; tcp dprot 22 accept } }'
