// A picture with points and boxes on a canvas: zoom, pan, and what the mouse means.
// Places are (x, y) in pixels of the picture, integers at the centres of pixels.

const REACH = {mouse: 6, pen: 6, touch: 14};  // a click this near is on the marker; screen pixels
const STILL = 4;  // a press that moves less is a click
const RING = 4;

export const colorOf = (number) => `hsl(${(number * 137.5) % 360} 90% 55%)`;
const inside = (value, low, high) => Math.min(high, Math.max(low, value));
const round = (value, unit) => Math.round(value * unit) / unit;
const gap = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

export class PictureView {
  // on: click(place, hit), drag(hit, place, phase), box(box)
  constructor(canvas, on) {
    Object.assign(this, {canvas, on, zoom: 1, left: 0, top: 0, tool: 'point', scene: null});
    this.pointers = new Map();
    new ResizeObserver(() => this.resize()).observe(canvas);
    const acts = {pointerdown: this.press, pointermove: this.move, pointerup: this.release,
      pointercancel: this.release, contextmenu: (event) => event.preventDefault(), wheel: this.wheel};
    for (const [name, act] of Object.entries(acts)) {
      canvas.addEventListener(name, (event) => this.scene && act.call(this, event), {passive: false});
    }
  }

  // scene: {key, image, size, edges, selected, objects: [{id, box, isActive, points}]},
  // points: [{id, number, name, x, y, confidence}]
  show(scene) {
    const isOther = scene?.key !== this.scene?.key;
    this.scene = scene;
    if (isOther) this.fit();
    this.redraw();
  }

  fit() {
    if (!this.scene) return;
    const {clientWidth: width, clientHeight: height} = this.canvas, [w, h] = this.scene.size;
    this.zoom = this.least = Math.min(width / w, height / h) || 1;
    this.left = (width - w * this.zoom) / 2;
    this.top = (height - h * this.zoom) / 2;
    this.redraw();
  }

  resize() {
    this.canvas.width = Math.round(this.canvas.clientWidth * devicePixelRatio);
    this.canvas.height = Math.round(this.canvas.clientHeight * devicePixelRatio);
    if (this.zoom === this.least) this.fit();
    this.draw();
  }

  zoomBy(factor, x, y) {
    const zoom = inside(this.zoom * factor, this.least / 2, 64);
    this.left = x - (x - this.left) * (zoom / this.zoom);
    this.top = y - (y - this.top) * (zoom / this.zoom);
    this.zoom = zoom;
    this.redraw();
  }

  toScreen(x, y) {
    return [this.left + (x + 0.5) * this.zoom, this.top + (y + 0.5) * this.zoom];
  }

  // In hundredths of a pixel, on the picture.
  toPicture([x, y]) {
    const [w, h] = this.scene.size;
    return [round(inside((x - this.left) / this.zoom - 0.5, 0, w - 1), 100),
      round(inside((y - this.top) / this.zoom - 0.5, 0, h - 1), 100)];
  }

  // (x, y, w, h) between two places of the screen, on the picture.
  toBox(a, b) {
    const [w, h] = this.scene.size;
    const span = (i, start, side) => {
      const [low, high] = [a[i], b[i]].map((v) => round(inside((v - start) / this.zoom, 0, side), 10)).sort((p, q) => p - q);
      return [low, round(high - low, 10)];
    };
    const [[x, width], [y, height]] = [span(0, this.left, w), span(1, this.top, h)];
    return [x, y, width, height];
  }

  // The marker at a place of the screen, the active object's first: {object, id}.
  hit(at, reach) {
    let best = null, least = reach;
    for (const {id: object, isActive, points} of this.scene.objects) {
      for (const {id, x, y} of points) {
        const distance = gap(this.toScreen(x, y), at);
        if (distance > reach || distance - (isActive ? 1 : 0) > least) continue;
        least = distance - (isActive ? 1 : 0);
        best = {object, id};
      }
    }
    return best;
  }

  placeOf({clientX, clientY}) {
    const {left, top} = this.canvas.getBoundingClientRect();
    return [clientX - left, clientY - top];
  }

  press(event) {
    const at = this.placeOf(event), isMain = event.button === 0;
    this.canvas.focus({preventScroll: true});
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, at);
    if (this.pointers.size > 1) {  // two fingers: what one of them began ends
      this.finish();
      this.gesture = {kind: 'pinch'};
      return;
    }
    const hit = isMain ? this.hit(at, REACH[event.pointerType] ?? REACH.mouse) : null;
    const kind = isMain && this.tool === 'box' ? 'box' : hit && this.tool === 'point' ? 'point' : 'pan';
    this.gesture = {kind, at, last: at, hit, isMain, isMoved: false};
  }

  move(event) {
    const {gesture} = this, at = this.placeOf(event), before = this.pointers.get(event.pointerId);
    if (!before || !gesture) return;
    this.pointers.set(event.pointerId, at);
    if (gesture.kind === 'pinch') {
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
      if (!other) return;
      this.left += (at[0] - before[0]) / 2;
      this.top += (at[1] - before[1]) / 2;
      const middle = [(at[0] + other[0]) / 2, (at[1] + other[1]) / 2];
      this.zoomBy(gap(at, other) / (gap(before, other) || 1), ...middle);
      return;
    }
    if (!gesture.isMoved && gap(at, gesture.at) < STILL) return;
    if (!gesture.isMoved && gesture.kind === 'point') this.on.drag(gesture.hit, null, 'start');
    gesture.isMoved = true;
    if (gesture.kind === 'point') {
      this.on.drag(gesture.hit, this.toPicture(at), 'move');
    } else if (gesture.kind === 'box') {
      gesture.box = this.toBox(gesture.at, at);
    } else {
      this.left += at[0] - gesture.last[0];
      this.top += at[1] - gesture.last[1];
      gesture.last = at;
    }
    this.redraw();
  }

  release(event) {
    const {gesture} = this;
    if (!this.pointers.delete(event.pointerId) || !gesture) return;
    if (gesture.kind === 'pinch' && this.pointers.size) return;
    this.finish();
    if (event.type === 'pointercancel' || gesture.kind === 'pinch') return;
    if (gesture.box && Math.min(gesture.box[2], gesture.box[3]) >= 2) this.on.box(gesture.box);
    if (!gesture.isMoved && gesture.isMain) this.on.click(this.toPicture(gesture.at), gesture.hit);
  }

  finish() {
    const {gesture} = this;
    this.gesture = null;
    if (gesture?.kind === 'point' && gesture.isMoved) this.on.drag(gesture.hit, null, 'end');
    this.redraw();
  }

  wheel(event) {
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 30 : 1;  // lines or pixels
    this.zoomBy(Math.exp(-event.deltaY * unit * 0.0015), ...this.placeOf(event));
  }

  redraw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    const context = this.canvas.getContext('2d'), {scene, zoom} = this;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.clearRect(0, 0, this.canvas.clientWidth, this.canvas.clientHeight);
    if (!scene) return;
    const [w, h] = scene.size;
    context.imageSmoothingEnabled = zoom < 5;
    if (scene.image) context.drawImage(scene.image, this.left, this.top, w * zoom, h * zoom);
    for (const object of scene.objects) {
      context.globalAlpha = object.isActive ? 1 : 0.7;
      this.drawBox(context, object.box, object.isActive);
      const places = new Map(object.points.map(({id, x, y}) => [id, this.toScreen(x, y)]));
      for (const [a, b] of scene.edges) {
        const ends = [places.get(a), places.get(b)];
        if (ends.every(Boolean)) this.stroke(context, '#fffc', 1.2, () => ends.map((at) => context.lineTo(...at)));
      }
      for (const point of object.points) {
        const isSelected = object.isActive && point.id === scene.selected;
        const isNamed = isSelected || object.points.length <= 24 || zoom > 2.5 * this.least;
        this.drawPoint(context, point, places.get(point.id), isSelected, isNamed);
      }
      context.globalAlpha = 1;
    }
    this.drawBox(context, this.gesture?.box, true);
  }

  // Dark, then bright on it: it shows on every picture.
  stroke(context, color, width, path) {
    for (const [strokeStyle, lineWidth] of [['#000a', width + 1.8], [color, width]]) {
      Object.assign(context, {strokeStyle, lineWidth});
      context.beginPath();
      path();
      context.stroke();
    }
    context.setLineDash([]);
  }

  drawBox(context, box, isActive) {
    if (!box) return;
    const corner = this.toScreen(box[0] - 0.5, box[1] - 0.5), [w, h] = [box[2] * this.zoom, box[3] * this.zoom];
    context.setLineDash(isActive ? [] : [5, 4]);
    this.stroke(context, '#fff', 1.4, () => context.rect(...corner, w, h));
  }

  drawPoint(context, {number, name, confidence}, [x, y], isSelected, isNamed) {
    const radius = isSelected ? RING + 2 : RING, label = isSelected ? `${number} ${name}` : number;
    context.setLineDash(confidence < 0.5 ? [2, 2] : []);
    this.stroke(context, colorOf(number), 1.8, () => context.arc(x, y, radius, 0, 2 * Math.PI));
    context.fillStyle = '#fff';
    context.fillRect(x - 0.75, y - 0.75, 1.5, 1.5);
    if (!isNamed) return;
    context.font = `${isSelected ? 'bold 12' : '10'}px system-ui, sans-serif`;
    Object.assign(context, {strokeStyle: '#000b', lineWidth: 3, lineJoin: 'round'});
    context.strokeText(label, x + radius + 3, y - 3);
    context.fillText(label, x + radius + 3, y - 3);
  }
}
