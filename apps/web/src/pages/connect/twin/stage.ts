import {
  Color,
  DirectionalLight,
  HemisphereLight,
  Mesh,
  NeutralToneMapping,
  type Object3D,
  PerspectiveCamera,
  Scene,
  SRGBColorSpace,
  Texture,
  WebGLRenderer,
} from 'three'

/** Colours of the theme, as the page has them now. */
type Palette = Record<'grain' | 'metal' | 'frame' | 'ground' | 'accent' | 'text', Color>

/** Something that stands on a stage, some six units high. */
export interface Model {
  object: Object3D
  /** Of what the camera looks at. */
  middleY: number
  /** Draws a share from 0 to 1, with what it is in words. */
  show(share: number, shown: string): void
  paint(palette: Palette): void
}

/** A canvas with a model, which is drawn when something changes and never else. */
export interface Stage {
  /** Moves to a share, smoothly unless the reader asked for less motion. `label` says it in words. */
  show(share: number, shown: string, label: string): void
  dispose(): void
}

const mostPixelRatio = 2
const movingMs = 900
const distance = 14.8
const startAzimuth = 0.35
const startHeight = 0.24
const heights = { least: -0.05, most: 1.1 }
const turnPerPixel = 0.009
const turnPerKey = 0.14
const names = ['grain', 'metal', 'frame', 'ground', 'accent', 'text'] as const

/** Puts a model onto a canvas inside `holder`. `onLost` is told when the graphics are taken away. @throws Error without WebGL. */
export const createStage = (holder: HTMLElement, model: Model, onLost: () => void): Stage => {
  const canvas = document.createElement('canvas')
  canvas.tabIndex = 0
  canvas.setAttribute('role', 'img')
  const renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true })
  renderer.outputColorSpace = SRGBColorSpace
  renderer.toneMapping = NeutralToneMapping
  renderer.shadowMap.enabled = true
  holder.append(canvas)

  const scene = new Scene()
  scene.add(model.object, ...lights())
  const camera = new PerspectiveCamera(28, 1, 0.1, 60)
  const still = window.matchMedia('(prefers-reduced-motion: reduce)')
  const dark = window.matchMedia('(prefers-color-scheme: dark)')
  const ending = new AbortController()
  const { signal } = ending
  let azimuth = startAzimuth
  let height = startHeight
  let frame = 0
  let now = { share: 0, shown: '' }
  let move: { from: number; to: number; startMs: number } | undefined

  const draw = (timeMs: number) => {
    frame = 0
    if (move) {
      const part = still.matches ? 1 : Math.min(1, (timeMs - move.startMs) / movingMs)
      now.share = move.from + (move.to - move.from) * (1 - (1 - part) ** 3)
      model.show(now.share, now.shown)
      if (part >= 1) move = undefined
    }
    const flat = distance * Math.cos(height)
    camera.position.set(
      flat * Math.sin(azimuth),
      model.middleY + distance * Math.sin(height),
      flat * Math.cos(azimuth),
    )
    camera.lookAt(0, model.middleY, 0)
    renderer.render(scene, camera)
    if (move) ask()
  }
  const ask = () => {
    frame ||= requestAnimationFrame(draw)
  }
  const turn = (right: number, up: number) => {
    azimuth += right
    height = Math.min(heights.most, Math.max(heights.least, height + up))
    ask()
  }
  const paint = () => {
    model.paint(paletteOf(holder))
    ask()
  }

  listenToTurning(canvas, turn, signal)
  canvas.addEventListener('webglcontextlost', onLost, { signal })
  dark.addEventListener('change', paint, { signal })
  // A theme may also be chosen on the page itself.
  const themes = new MutationObserver(paint)
  themes.observe(document.documentElement, { attributes: true })
  const sizes = new ResizeObserver(() => {
    const { clientWidth, clientHeight } = holder
    if (clientWidth === 0 || clientHeight === 0) return
    renderer.setPixelRatio(Math.min(window.devicePixelRatio, mostPixelRatio))
    renderer.setSize(clientWidth, clientHeight, false)
    camera.aspect = clientWidth / clientHeight
    camera.updateProjectionMatrix()
    // What setSize has cleared must not be seen empty.
    draw(performance.now())
  })
  sizes.observe(holder)
  paint()

  return {
    show(share, shown, label) {
      canvas.setAttribute('aria-label', label)
      if (share === (move?.to ?? now.share) && shown === now.shown) return
      now = { ...now, shown }
      move = { from: now.share, to: share, startMs: performance.now() }
      ask()
    },
    dispose() {
      ending.abort()
      themes.disconnect()
      sizes.disconnect()
      cancelAnimationFrame(frame)
      disposeOf(scene)
      renderer.dispose()
      canvas.remove()
    },
  }
}

const lights = () => {
  const sky = new HemisphereLight(0xffffff, 0xc4ccc9, 2.3)
  const sun = new DirectionalLight(0xfff4e2, 3.2)
  sun.position.set(5, 10, 7)
  sun.castShadow = true
  sun.shadow.mapSize.set(1_024, 1_024)
  sun.shadow.radius = 6
  sun.shadow.bias = -0.002
  Object.assign(sun.shadow.camera, { left: -5, right: 5, top: 7, bottom: -5, near: 1, far: 26 })
  const rim = new DirectionalLight(0xcfe6ff, 0.9)
  rim.position.set(-6, 4, -5)
  return [sky, sun, rim]
}

const listenToTurning = (
  canvas: HTMLCanvasElement,
  turn: (right: number, up: number) => void,
  signal: AbortSignal,
) => {
  canvas.addEventListener('pointerdown', ({ pointerId }) => canvas.setPointerCapture(pointerId), {
    signal,
  })
  canvas.addEventListener(
    'pointermove',
    (event) => {
      if (!canvas.hasPointerCapture(event.pointerId)) return
      // A finger that goes up or down scrolls the page.
      const up = event.pointerType === 'touch' ? 0 : event.movementY
      turn(-event.movementX * turnPerPixel, up * turnPerPixel)
    },
    { signal },
  )
  const keys: Record<string, [number, number]> = {
    ArrowLeft: [-turnPerKey, 0],
    ArrowRight: [turnPerKey, 0],
    ArrowUp: [0, turnPerKey],
    ArrowDown: [0, -turnPerKey],
  }
  canvas.addEventListener(
    'keydown',
    (event) => {
      const by = keys[event.key]
      if (!by) return
      event.preventDefault()
      turn(...by)
    },
    { signal },
  )
}

/** Tokens resolved where they stand: what a custom property holds is not a colour yet. */
const paletteOf = (element: HTMLElement): Palette => {
  const probe = element.appendChild(document.createElement('span'))
  const style = getComputedStyle(probe)
  const palette = Object.fromEntries(
    names.map((name) => {
      probe.style.color = `var(--${name})`
      return [name, new Color(style.color)]
    }),
  ) as Palette
  probe.remove()
  return palette
}

const disposeOf = (scene: Scene) => {
  scene.traverse((object) => {
    if (!(object instanceof Mesh)) return
    object.geometry.dispose()
    for (const material of [object.material].flat()) {
      for (const value of Object.values(material)) if (value instanceof Texture) value.dispose()
      material.dispose()
    }
  })
}
