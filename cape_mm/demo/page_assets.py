"""Style, script and texts of the page; nothing is fetched from elsewhere."""

from __future__ import annotations

TITLE = 'Mark one picture, get the points on the others'

CSS = """
.gradio-container {max-width: 1240px !important; margin: 0 auto !important}
.gradio-container {width: 100% !important; min-width: 0 !important}
#support_view img, #query_view img {cursor: crosshair; user-select: none}
#support_view img, #query_view img {max-height: 74vh; object-fit: contain}
#support_view.dragging img, #query_view.dragging img {cursor: grabbing}
.drag-data {display: none !important}
.hint p {font-weight: 600; margin: 2px 0}
.step h3 {margin: 14px 0 2px 0}
#gallery .grid-container {
  grid-template-columns: repeat(auto-fill, minmax(min(190px, 45%), 1fr)) !important}
#gallery .caption-label {font-size: 12px; max-width: 100%}
@media (max-width: 600px) {#query_table table {font-size: 12px !important}}
#query_table .selection-button {display: none !important}
footer {display: none !important}
"""

SCRIPT = """
() => {
  let start = null;
  let moved = false;
  const views = {support_view: 'support_drag', query_view: 'query_drag'};
  const viewOf = (target) => {
    if (!(target instanceof HTMLImageElement)) return null;
    const view = target.closest('#support_view, #query_view');
    return view && target.naturalWidth ? view : null;
  };
  // pixels of the picture, which object-fit may show smaller than its element
  const place = (image, event) => {
    const box = image.getBoundingClientRect();
    const scale = Math.min(
      box.width / image.naturalWidth, box.height / image.naturalHeight);
    const left = box.left + (box.width - scale * image.naturalWidth) / 2;
    const top = box.top + (box.height - scale * image.naturalHeight) / 2;
    return [(event.clientX - left) / scale, (event.clientY - top) / scale];
  };
  document.addEventListener('mousedown', (event) => {
    const view = event.button === 0 ? viewOf(event.target) : null;
    moved = false;
    if (!view) return;
    event.preventDefault();  // the browser would drag the picture itself
    start = {view, image: event.target, at: place(event.target, event),
             x: event.clientX, y: event.clientY};
  }, true);
  document.addEventListener('mousemove', (event) => {
    if (!start) return;
    if (Math.hypot(event.clientX - start.x, event.clientY - start.y) > 5) {
      moved = true;
      start.view.classList.add('dragging');
    }
  }, true);
  document.addEventListener('mouseup', (event) => {
    if (!start) return;
    const {view, image, at} = start;
    start = null;
    view.classList.remove('dragging');
    if (!moved) return;
    const field = document.querySelector(
      `#${views[view.id]} textarea, #${views[view.id]} input`);
    field.value = JSON.stringify([at, place(image, event), Date.now()]);
    field.dispatchEvent(new Event('input', {bubbles: true}));
  }, true);
  document.addEventListener('click', (event) => {
    if (moved && viewOf(event.target)) {
      event.stopPropagation();  // the end of a drag is no click
      moved = false;
    }
  }, true);
}
"""

INTRO = f"""# {TITLE}

Mark the points on a **support** picture, upload other pictures of the same kind, press
**Predict**, correct what is wrong, and download everything as COCO JSON.
"""

DOWNLOAD_NOTE = """COCO keypoints of the support pictures and of all predictions. Points
below the confidence threshold are written as not labelled (v = 0), points that you set
or used as another support with confidence 1."""

NAMES_NOTE = 'Separated by commas, then Enter. Clicks take them in this order.'

PRIVACY_NOTE = """Your pictures stay on the computer that runs this page, until it ends.
Reloading the page starts anew."""

TABLE = dict(
    type='array',
    datatype='str',
    show_label=False,
    buttons=[],
    max_height=330,
    wrap=True,
)
