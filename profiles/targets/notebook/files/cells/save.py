import joblib

path = folder / "digits.joblib"
joblib.dump(model, path)
loaded = joblib.load(path)
if not (loaded.predict(test_images) == model.predict(test_images)).all():
    raise RuntimeError(«texts.save.differs»)
print(«texts.save.same», path)
