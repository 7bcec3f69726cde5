#!/bin/sh
kubectl delete $*
if [[ $1 == prod ]]; then rm -rf $folder/*; fi
