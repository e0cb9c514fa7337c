#arg WHAT=moon
FROM triggers
ENTRYPOINT ["x"]
CMD []
