from pathlib import Path

# «texts.storage.keep|comment»
KEEP = True  # @param {type:"boolean"}

folder = Path.cwd()
if place and KEEP:
    try:
        if place["mount"]:
            from google.colab import drive

            drive.mount(place["mount"])
        if os.access(place["folder"], os.W_OK):
            folder = Path(place["folder"])
    except Exception as error:  # «texts.storage.refused|comment»
        print(f"{type(error).__name__}: {error}")
if place and folder != Path(place["folder"]):
    print(«texts.storage.ends»)
folder = folder / "aitk-starter-notebook"
folder.mkdir(parents=True, exist_ok=True)
print(«texts.storage.folder», folder)
