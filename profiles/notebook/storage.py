from pathlib import Path

# «storage.keep»
KEEP = True  # @param {type:"boolean"}

folder = Path.cwd()
if place and KEEP:
    try:
        if place["mount"]:
            from google.colab import drive

            drive.mount(place["mount"])
        if os.access(place["folder"], os.W_OK):
            folder = Path(place["folder"])
    except Exception as error:  # «storage.refused»
        print(f"{type(error).__name__}: {error}")
if place and folder != Path(place["folder"]):
    print("«storage.ends»")
folder = folder / "«NAME»"
folder.mkdir(parents=True, exist_ok=True)
print("«storage.folder»", folder)
