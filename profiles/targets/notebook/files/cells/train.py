from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

images, digits = load_digits(return_X_y=True)
train_images, test_images, train_digits, test_digits = train_test_split(
    images, digits, test_size=0.25, random_state=0, stratify=digits
)
settings = {"C": 0.1, "max_iter": 1000}
model = make_pipeline(StandardScaler(), LogisticRegression(**settings))
model.fit(train_images, train_digits)
accuracy = float(model.score(test_images, test_digits))
print(f«texts.train.accuracy ~ " {accuracy:.3f}"»)
