import joblib

path = folder / "digits.joblib"
joblib.dump(model, path)
loaded = joblib.load(path)
if not (loaded.predict(test_images) == model.predict(test_images)).all():
    raise RuntimeError("«save.differs»")
print("«save.same»", path)
