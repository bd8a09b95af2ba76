import {
  type BufferGeometry,
  CanvasTexture,
  CatmullRomCurve3,
  CircleGeometry,
  Color,
  CylinderGeometry,
  Group,
  type Material,
  Mesh,
  MeshBasicMaterial,
  MeshStandardMaterial,
  PlaneGeometry,
  PointLight,
  Shape,
  ShapeGeometry,
  SRGBColorSpace,
  TubeGeometry,
  Vector2,
  Vector3,
} from 'three'
import { RoundedBoxGeometry } from 'three/examples/jsm/geometries/RoundedBoxGeometry.js'
import type { Model } from './stage.ts'

const width = 1.7
const height = 4.6
const depth = 0.9
const front = depth / 2

/** A charge point with a screen, a cable, and lights that glow with its share of power. */
export const createChargerModel = (): Model => {
  const shell = new MeshStandardMaterial({ metalness: 0.25, roughness: 0.45 })
  const frame = new MeshStandardMaterial({ metalness: 0.35, roughness: 0.55 })
  const ground = new MeshStandardMaterial({ roughness: 1 })
  const strip = new MeshStandardMaterial({ color: 0x101817, roughness: 0.4 })
  const cable = new MeshStandardMaterial({ color: 0x1d2423, roughness: 0.7 })
  const screen = createScreen()
  const glow = new PointLight(0xffffff, 0, 7, 1.6)
  glow.position.set(0, 1.6, front + 1)
  const object = new Group()
  object.add(
    ...pillar(shell, frame),
    ...strips(strip),
    bolt(strip),
    screen.mesh,
    ...cableAndPlug(cable, frame),
    floor(ground),
    glow,
  )
  return {
    object,
    middleY: 2.3,
    show(share, shown) {
      strip.emissiveIntensity = share === 0 ? 0.08 : 0.5 + 1.6 * share
      glow.intensity = 9 * share
      screen.draw(share, shown)
    },
    paint(palette) {
      shell.color.copy(palette.metal).lerp(new Color(0xffffff), 0.35)
      frame.color.copy(palette.frame)
      ground.color.copy(palette.ground)
      strip.emissive.copy(palette.accent)
      glow.color.copy(palette.accent)
    },
  }
}

const solid = (geometry: BufferGeometry, material: Material): Mesh => {
  const mesh = new Mesh(geometry, material)
  mesh.castShadow = true
  mesh.receiveShadow = true
  return mesh
}

const pillar = (shell: Material, frame: Material): Mesh[] => {
  const body = solid(new RoundedBoxGeometry(width, height, depth, 6, 0.14), shell)
  body.position.y = 0.18 + height / 2
  const plinth = solid(new RoundedBoxGeometry(width + 0.3, 0.18, depth + 0.3, 3, 0.05), frame)
  plinth.position.y = 0.09
  const bezel = solid(new RoundedBoxGeometry(1.5, 1.3, 0.06, 4, 0.03), frame)
  bezel.position.set(0, screenY, front)
  return [body, plinth, bezel]
}

const strips = (strip: Material): Mesh[] =>
  [-1, 1].map((side) => {
    const mesh = solid(new RoundedBoxGeometry(0.09, 2, 0.06, 3, 0.02), strip)
    mesh.position.set(side * (width / 2 - 0.16), 1.65, front)
    return mesh
  })

/** A flash, as charge points have. */
const bolt = (strip: Material): Mesh => {
  const corners = [
    [0.1, 0.5],
    [-0.26, -0.06],
    [-0.03, -0.06],
    [-0.1, -0.5],
    [0.26, 0.08],
    [0.03, 0.08],
  ] as const
  const flash = new Shape(corners.map(([x, y]) => new Vector2(x, y)))
  const mesh = new Mesh(new ShapeGeometry(flash), strip)
  mesh.position.set(0, 1.95, front + 0.01)
  return mesh
}

const screenY = 3.7

const cableAndPlug = (cable: Material, frame: Material): Mesh[] => {
  const x = width / 2
  const way = new CatmullRomCurve3([
    new Vector3(x - 0.05, 1.2, 0.1),
    new Vector3(x + 0.45, 0.95, 0.22),
    new Vector3(x + 0.62, 0.5, 0.3),
    new Vector3(x + 0.4, 0.42, 0.34),
    new Vector3(x + 0.3, 1.1, 0.3),
    new Vector3(x + 0.22, 2.05, 0.24),
  ])
  const plug = solid(new CylinderGeometry(0.13, 0.09, 0.62, 20), frame)
  plug.position.set(x + 0.21, 2.32, 0.23)
  const holster = solid(new RoundedBoxGeometry(0.3, 0.5, 0.4, 4, 0.06), frame)
  holster.position.set(x + 0.08, 2.6, 0.2)
  return [solid(new TubeGeometry(way, 64, 0.06, 12), cable), plug, holster]
}

const floor = (ground: Material): Mesh => {
  const mesh = new Mesh(new CircleGeometry(2.7, 64).rotateX(-Math.PI / 2), ground)
  mesh.receiveShadow = true
  return mesh
}

const screenPx = { width: 640, height: 540 }

/** A gauge with its value beneath, redrawn when they change. */
const createScreen = () => {
  const canvas = document.createElement('canvas')
  canvas.width = screenPx.width
  canvas.height = screenPx.height
  const pen = canvas.getContext('2d')
  const texture = new CanvasTexture(canvas)
  texture.colorSpace = SRGBColorSpace
  const mesh = new Mesh(
    new PlaneGeometry(1.4, (1.4 * screenPx.height) / screenPx.width),
    new MeshBasicMaterial({ map: texture, toneMapped: false }),
  )
  mesh.position.set(0, screenY, front + 0.035)
  return {
    mesh,
    draw(share: number, shown: string) {
      if (!pen) return
      drawGauge(pen, share, shown)
      texture.needsUpdate = true
    },
  }
}

const drawGauge = (pen: CanvasRenderingContext2D, share: number, shown: string) => {
  const { width: w, height: h } = screenPx
  const [x, y, r] = [w / 2, h * 0.6, w * 0.38]
  const angle = Math.PI * (1 + share)
  pen.fillStyle = '#0b1514'
  pen.fillRect(0, 0, w, h)
  pen.lineCap = 'round'
  pen.lineWidth = 34
  pen.strokeStyle = '#22312f'
  pen.beginPath()
  pen.arc(x, y, r, Math.PI, 2 * Math.PI)
  pen.stroke()
  if (share > 0) {
    pen.strokeStyle = '#3ec9be'
    pen.beginPath()
    pen.arc(x, y, r, Math.PI, angle)
    pen.stroke()
  }
  pen.lineWidth = 10
  pen.strokeStyle = '#e8efed'
  pen.beginPath()
  pen.moveTo(x, y)
  pen.lineTo(x + r * 0.78 * Math.cos(angle), y + r * 0.78 * Math.sin(angle))
  pen.stroke()
  pen.fillStyle = '#e8efed'
  pen.font = '650 124px system-ui, sans-serif'
  pen.textAlign = 'center'
  pen.fillText(shown, x, h * 0.93, w * 0.94)
}
