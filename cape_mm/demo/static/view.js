// A picture with points and boxes on a canvas: zoom, pan, and what the mouse means.
// Places are (x, y) in pixels of the picture, integers at the centres of pixels.

const REACH = {mouse: 6, touch: 14};  // a click this near is on the marker; screen pixels
const STILL = 4;  // a press that moves less is a click
const RING = 4;

export const colorOf = (number) => `hsl(${(number * 137.5) % 360} 90% 55%)`;
const inside = (value, low, high) => Math.min(high, Math.max(low, value));
const round = (value, unit) => Math.round(value * unit) / unit;
const gap = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

export class PictureView {
  // on: click(place, hit), move(place, hit), box(box)
  constructor(canvas, on) {
    Object.assign(this, {canvas, on, zoom: 1, corner: [0, 0], tool: 'point', pointers: new Map()});
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
    [this.scene, scene] = [scene, this.scene];
    if (this.scene?.key !== scene?.key) this.fit();
    this.redraw();
  }

  fit() {
    if (!this.scene) return;
    const {clientWidth: width, clientHeight: height} = this.canvas, [w, h] = this.scene.size;
    this.zoom = this.least = Math.min(width / w, height / h) || 1;
    this.corner = [(width - w * this.zoom) / 2, (height - h * this.zoom) / 2];
    this.redraw();
  }

  resize() {
    this.canvas.width = Math.round(this.canvas.clientWidth * devicePixelRatio);
    this.canvas.height = Math.round(this.canvas.clientHeight * devicePixelRatio);
    if (this.zoom === this.least) this.fit();
    this.draw();
  }

  // The place of the screen that is now at `from` comes to `to`.
  zoomBy(factor, from, to = from) {
    const zoom = inside(this.zoom * factor, this.least / 2, 64);
    this.corner = this.corner.map((v, i) => to[i] - (from[i] - v) * (zoom / this.zoom));
    this.zoom = zoom;
    this.redraw();
  }

  toScreen(x, y) {
    return [this.corner[0] + (x + 0.5) * this.zoom, this.corner[1] + (y + 0.5) * this.zoom];
  }

  // On the borders between pixels, not beyond those of the picture.
  toBorder(at) {
    return at.map((v, i) => inside((v - this.corner[i]) / this.zoom, 0, this.scene.size[i]));
  }

  // (x, y, w, h) in tenths of a pixel.
  toBox(a, b) {
    const [[x, y], [u, v]] = [a, b].map((at) => this.toBorder(at));
    return [Math.min(x, u), Math.min(y, v), Math.abs(x - u), Math.abs(y - v)].map((one) => round(one, 10));
  }

  // In hundredths of a pixel, not beyond the centres of the outermost ones.
  toPicture(at) {
    return this.toBorder(at).map((v, i) => round(inside(v - 0.5, 0, this.scene.size[i] - 1), 100));
  }

  // The marker at a place of the screen, {object, id}; of several the nearest of the active object.
  hit(at, reach) {
    const all = this.scene.objects.flatMap(({id: object, isActive, points}) => points.map(
      ({id, x, y}) => ({object, id, distance: gap(this.toScreen(x, y), at), rank: isActive ? 1 : 0})));
    return all.filter((one) => one.distance <= reach).sort((a, b) => b.rank - a.rank || a.distance - b.distance)[0];
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
    const hit = isMain && this.hit(at, REACH[event.pointerType] ?? REACH.mouse), {tool} = this;
    const kind = isMain && tool === 'box' ? 'box' : hit && tool === 'point' ? 'point' : 'pan';
    this.gesture = {kind: this.pointers.size > 1 ? 'pinch' : kind, at, hit, isMain, isMoved: false};
  }

  move(event) {
    const {gesture} = this, at = this.placeOf(event), before = this.pointers.get(event.pointerId);
    if (!before || !gesture) return;
    this.pointers.set(event.pointerId, at);
    if (gesture.kind === 'pinch') {
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1] ?? before;
      const [from, to] = [before, at].map((one) => one.map((v, i) => (v + other[i]) / 2));
      return this.zoomBy(gap(at, other) / gap(before, other) || 1, from, to);
    }
    if (!gesture.isMoved && gap(at, gesture.at) < STILL) return this.pointers.set(event.pointerId, before);
    gesture.isMoved = true;
    if (gesture.kind === 'pan') this.zoomBy(1, before, at);
    if (gesture.kind === 'point') gesture.place = this.toPicture(at);
    if (gesture.kind === 'box') gesture.box = this.toBox(gesture.at, at);
    this.redraw();
  }

  release(event) {
    const {gesture} = this;
    if (!this.pointers.delete(event.pointerId) || !gesture || (gesture.kind === 'pinch' && this.pointers.size)) return;
    this.gesture = null;
    this.redraw();
    if (event.type === 'pointercancel' || gesture.kind === 'pinch') return;
    const {kind, isMoved, isMain, hit, at, place, box} = gesture;
    if (kind === 'point' && isMoved) this.on.move(place, hit);
    else if (kind === 'box' && isMoved && Math.min(box[2], box[3]) >= 2) this.on.box(box);
    else if (!isMoved && isMain) this.on.click(this.toPicture(at), hit);
  }

  wheel(event) {
    event.preventDefault();
    this.zoomBy(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), this.placeOf(event));  // lines or pixels
  }

  redraw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    const context = this.canvas.getContext('2d'), {scene, zoom, gesture} = this;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.clearRect(0, 0, this.canvas.clientWidth, this.canvas.clientHeight);
    if (!scene) return;
    const [w, h] = scene.size;
    context.imageSmoothingEnabled = zoom < 5;
    if (scene.image) context.drawImage(scene.image, ...this.corner, w * zoom, h * zoom);
    for (const object of scene.objects) {
      context.globalAlpha = object.isActive ? 1 : 0.7;
      this.drawBox(context, object.box, object.isActive);
      const isDragged = (id) => gesture?.place && gesture.hit.object === object.id && gesture.hit.id === id;
      const places = new Map(object.points.map(({id, x, y}) =>
        [id, this.toScreen(...isDragged(id) ? gesture.place : [x, y])]));
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
    this.drawBox(context, gesture?.box, true);
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
