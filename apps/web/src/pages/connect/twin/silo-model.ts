import {
  BoxGeometry,
  BufferGeometry,
  CanvasTexture,
  CircleGeometry,
  ConeGeometry,
  CylinderGeometry,
  DoubleSide,
  Group,
  LatheGeometry,
  type Material,
  Mesh,
  MeshStandardMaterial,
  RepeatWrapping,
  SRGBColorSpace,
  TorusGeometry,
  Vector2,
  Vector3,
} from 'three'
import type { Model } from './stage.ts'

const radius = 1.3
const outletRadius = 0.2
const outletY = 0.75
const hopperHeight = 1.35
const bodyHeight = 3.3
const hopperTopY = outletY + hopperHeight
const bodyTopY = hopperTopY + bodyHeight
/** What is cut away, so that the grain is seen; it faces the camera's first place. */
const opening = 1.95
const wall = 0.05
const bands = 7

/** A hopper silo on legs, cut open; its share is the height of the grain from the outlet up. */
export const createSiloModel = (): Model => {
  const metal = new MeshStandardMaterial({ metalness: 0.45, roughness: 0.42, side: DoubleSide })
  const frame = new MeshStandardMaterial({ metalness: 0.5, roughness: 0.5 })
  const glass = new MeshStandardMaterial({
    transparent: true,
    opacity: 0.13,
    roughness: 0.1,
    depthWrite: false,
    side: DoubleSide,
  })
  const ground = new MeshStandardMaterial({ roughness: 1 })
  const grain = new MeshStandardMaterial({ roughness: 0.95, map: speckles(), side: DoubleSide })
  const heap = new Mesh(new BufferGeometry(), grain)
  heap.castShadow = true
  heap.position.y = outletY
  const object = new Group()
  object.add(
    ...shell(metal),
    pane(glass),
    ...cutEdges(frame),
    ...legs(frame),
    ladder(frame),
    ...roof(metal, frame),
    gate(frame),
    floor(ground),
    heap,
  )
  return {
    object,
    middleY: 2.75,
    show(share) {
      heap.visible = share > 0.003
      heap.geometry.dispose()
      heap.geometry = heapOf(profileOf(share))
    },
    paint(palette) {
      metal.color.copy(palette.metal)
      frame.color.copy(palette.frame)
      glass.color.copy(palette.accent)
      grain.color.copy(palette.grain)
      ground.color.copy(palette.ground)
    },
  }
}

/** Half of the grain's outline, from the middle of the outlet to the middle of the top, which has sunk in a little. */
const profileOf = (share: number): Vector2[] => {
  const level = Math.max(share, 0.003) * (hopperHeight + bodyHeight)
  const inner = radius - wall
  const inHopper = Math.min(1, level / hopperHeight)
  const edge = outletRadius + (inner - outletRadius) * inHopper
  const sunk = Math.min(0.16, level * 0.5)
  return [
    new Vector2(0, 0),
    new Vector2(outletRadius, 0),
    new Vector2(edge, Math.min(level, hopperHeight)),
    new Vector2(edge, level),
    new Vector2(edge * 0.62, level - sunk * 0.25),
    new Vector2(edge * 0.25, level - sunk * 0.85),
    new Vector2(0, level - sunk),
  ]
}

const slices = 64
const tilesAround = 7

/** The grain, with kernels of the same size all over it. */
const heapOf = (profile: Vector2[]): LatheGeometry => {
  const geometry = new LatheGeometry(profile, slices)
  let way = 0
  const ways = profile.map((point, index) => {
    way += point.distanceTo(profile[index - 1] ?? point)
    return way
  })
  const { uv } = geometry.attributes
  for (let slice = 0; slice <= slices; slice += 1) {
    for (const [index, along] of ways.entries()) {
      uv?.setXY(slice * profile.length + index, (slice / slices) * tilesAround, along)
    }
  }
  return geometry
}

const solid = (geometry: BufferGeometry, material: Material): Mesh => {
  const mesh = new Mesh(geometry, material)
  mesh.castShadow = true
  mesh.receiveShadow = true
  return mesh
}

const shell = (metal: Material): Mesh[] => {
  const rest = Math.PI * 2 - opening
  const body = solid(
    new CylinderGeometry(radius, radius, bodyHeight, 72, 1, true, opening / 2, rest),
    metal,
  )
  body.position.y = hopperTopY + bodyHeight / 2
  const hopper = solid(
    new CylinderGeometry(radius, outletRadius, hopperHeight, 72, 1, true, opening / 2, rest),
    metal,
  )
  hopper.position.y = outletY + hopperHeight / 2
  const rings = Array.from({ length: bands }, (_, index) => {
    const ring = solid(arc(radius + 0.012, 0.022, rest), metal)
    ring.position.y = hopperTopY + (bodyHeight * index) / (bands - 1)
    return ring
  })
  return [body, hopper, ...rings]
}

/** A level ring that leaves the opening free. */
const arc = (ringRadius: number, thickness: number, length: number) =>
  new TorusGeometry(ringRadius, thickness, 8, 72, length)
    .rotateX(Math.PI / 2)
    .rotateY(-(Math.PI / 2 + opening / 2))

const pane = (glass: Material): Mesh => {
  const mesh = new Mesh(
    new CylinderGeometry(radius, radius, bodyHeight, 32, 1, true, -opening / 2, opening),
    glass,
  )
  mesh.position.y = hopperTopY + bodyHeight / 2
  return mesh
}

/** The thickness of the wall where it is cut. */
const cutEdges = (frame: Material): Mesh[] =>
  [-opening / 2, opening / 2].flatMap((angle) => {
    const at = (r: number, y: number) => new Vector3(r * Math.sin(angle), y, r * Math.cos(angle))
    return [
      rod(at(radius, hopperTopY), at(radius, bodyTopY), 0.035, frame),
      rod(at(outletRadius, outletY), at(radius, hopperTopY), 0.035, frame),
    ]
  })

const legs = (frame: Material): Mesh[] => {
  const corners = [1, 3, 5, 7].map((eighth) => (eighth * Math.PI) / 4)
  const at = (angle: number, y: number) =>
    new Vector3(radius * Math.sin(angle), y, radius * Math.cos(angle))
  const beam = solid(new TorusGeometry(radius, 0.06, 10, 72).rotateX(Math.PI / 2), frame)
  beam.position.y = hopperTopY
  return [
    beam,
    ...corners.flatMap((angle, index) => {
      const next = corners[(index + 1) % corners.length] ?? angle
      const foot = solid(new BoxGeometry(0.3, 0.06, 0.3), frame)
      foot.position.copy(at(angle, 0.03))
      // The front stays open to the eye.
      const braces =
        index === corners.length - 1
          ? []
          : [
              rod(at(angle, 0.2), at(next, hopperTopY - 0.2), 0.025, frame),
              rod(at(next, 0.2), at(angle, hopperTopY - 0.2), 0.025, frame),
            ]
      return [rod(at(angle, 0), at(angle, hopperTopY + 0.05), 0.07, frame), foot, ...braces]
    }),
  ]
}

const rod = (from: Vector3, to: Vector3, thickness: number, material: Material): Mesh => {
  const along = to.clone().sub(from)
  const mesh = solid(new CylinderGeometry(thickness, thickness, along.length(), 12), material)
  mesh.position.copy(from).addScaledVector(along, 0.5)
  mesh.quaternion.setFromUnitVectors(new Vector3(0, 1, 0), along.normalize())
  return mesh
}

const ladderAngle = 1.5
const rungStep = 0.26
const hoopStep = 0.5

/** Rails, rungs, and the hoops of a cage from where a fall would hurt. */
const ladder = (frame: Material): Group => {
  const group = new Group()
  const top = bodyTopY + 0.35
  for (const x of [-0.15, 0.15]) {
    group.add(rod(new Vector3(x, 0.1, 0), new Vector3(x, top, 0), 0.02, frame))
  }
  for (let y = 0.3; y < top; y += rungStep) {
    group.add(rod(new Vector3(-0.15, y, 0), new Vector3(0.15, y, 0), 0.014, frame))
  }
  for (let y = 2.2; y < top; y += hoopStep) {
    const hoop = solid(new TorusGeometry(0.3, 0.014, 6, 24, Math.PI).rotateX(Math.PI / 2), frame)
    hoop.position.y = y
    group.add(hoop)
  }
  for (const angle of [0.5, 1.57, 2.64]) {
    const [x, z] = [0.3 * Math.cos(angle), 0.3 * Math.sin(angle)]
    group.add(rod(new Vector3(x, 2.2, z), new Vector3(x, top, z), 0.01, frame))
  }
  group.position.set(
    (radius + 0.14) * Math.sin(ladderAngle),
    0,
    (radius + 0.14) * Math.cos(ladderAngle),
  )
  group.rotation.y = ladderAngle
  return group
}

const roof = (metal: Material, frame: Material): Mesh[] => {
  const cone = solid(new ConeGeometry(radius + 0.14, 0.62, 72, 1, true), metal)
  cone.position.y = bodyTopY + 0.31
  const eaves = solid(new TorusGeometry(radius + 0.1, 0.045, 10, 72).rotateX(Math.PI / 2), frame)
  eaves.position.y = bodyTopY + 0.02
  const vent = solid(new CylinderGeometry(0.2, 0.2, 0.26, 24), frame)
  vent.position.y = bodyTopY + 0.6
  return [cone, eaves, vent]
}

const gate = (frame: Material): Mesh => {
  const mesh = solid(
    new CylinderGeometry(outletRadius + 0.03, outletRadius - 0.04, 0.28, 24),
    frame,
  )
  mesh.position.y = outletY - 0.12
  return mesh
}

const floor = (ground: Material): Mesh => {
  const mesh = new Mesh(new CircleGeometry(2.7, 64).rotateX(-Math.PI / 2), ground)
  mesh.receiveShadow = true
  return mesh
}

const texturePx = 256
const kernels = 2_600

/** Kernels as light and dark dots, the same ones each time. */
const speckles = (): CanvasTexture => {
  const canvas = document.createElement('canvas')
  canvas.width = texturePx
  canvas.height = texturePx
  const pen = canvas.getContext('2d')
  let state = 7
  const random = () => {
    state = (state * 16_807) % 2_147_483_647
    return state / 2_147_483_647
  }
  if (pen) {
    pen.fillStyle = '#d8d8d8'
    pen.fillRect(0, 0, texturePx, texturePx)
    for (let kernel = 0; kernel < kernels; kernel += 1) {
      const light = Math.round(190 + random() * 65)
      pen.fillStyle = `rgb(${light} ${light} ${light})`
      pen.beginPath()
      const [x, y] = [random() * texturePx, random() * texturePx]
      pen.ellipse(x, y, 6, 3.2, random() * Math.PI, 0, Math.PI * 2)
      pen.fill()
    }
  }
  const texture = new CanvasTexture(canvas)
  texture.colorSpace = SRGBColorSpace
  texture.wrapS = RepeatWrapping
  texture.wrapT = RepeatWrapping
  return texture
}
