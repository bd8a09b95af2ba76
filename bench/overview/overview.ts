import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@liquefy/client'
import type { Page } from 'playwright-core'
import { startBrowser } from '../../apps/web/test/harness.ts'
import { buildPage } from '../build-page.ts'
import { startNodeProcess } from '../load/node-host.ts'
import { gatherCrowd } from './crowd.ts'

const MACHINES = 500
const WARM_UP_SECONDS = 5
const SECONDS = 20
/** Two pages are measured, and counting rows takes a while. */
const SENDING_SECONDS = 2 * (WARM_UP_SECONDS + SECONDS) + 20
const COUNTED_SECONDS = 5
/** Rows are read anew at most every five seconds. */
const SETTLE_SECONDS = 30
const LATE_MS = 1_000 / 30

/** How smooth the page stays while {@link MACHINES} machines change every second. */
export async function benchOverview(say: (line: string) => void): Promise<Record<string, number>> {
  buildPage()
  say(`registering ${MACHINES} machines`)
  const node = await startNodeProcess(MACHINES)
  const browser = await startBrowser()
  try {
    say(`signing ${MACHINES * SENDING_SECONDS} envelopes`)
    const crowd = await gatherCrowd(node, SENDING_SECONDS)
    const page = await browser.newPage({ viewport: { width: 1_440, height: 1_000 } })
    await page.goto(node.url)
    await page
      .locator('.machine-card')
      .nth(MACHINES - 1)
      .waitFor()
    const sending = crowd.send()
    await sleep(WARM_UP_SECONDS * 1_000)
    const overview = await framesOf(page)
    say(`overview: ${JSON.stringify(overview)}`)
    await page.getByRole('link', { name: 'Machines', exact: true }).click()
    await page
      .locator('.machine-table tbody tr')
      .nth(MACHINES - 1)
      .waitFor()
    await sleep(WARM_UP_SECONDS * 1_000)
    const list = await framesOf(page)
    say(`list: ${JSON.stringify(list)}`)
    const changedPerSecond = await changesOf(page)
    await sending
    await crowd.stop()
    await untilTrue(page, node.url)
    return {
      machines: MACHINES,
      overviewFps: overview.fps,
      overviewWorstFrameMs: overview.worstMs,
      overviewLateFrames: overview.late,
      listFps: list.fps,
      listWorstFrameMs: list.worstMs,
      listLateFrames: list.late,
      changedPerSecond,
    }
  } finally {
    await browser.close()
    await node.stop()
  }
}

/** Frames that the browser gave the page. */
async function framesOf(page: Page): Promise<{ fps: number; worstMs: number; late: number }> {
  const gaps = await page.evaluate(async (milliseconds) => {
    const shown = globalThis as unknown as {
      requestAnimationFrame(draw: (timeMs: number) => void): void
    }
    const found: number[] = []
    const startMs = performance.now()
    for (let beforeMs = startMs; beforeMs < startMs + milliseconds; ) {
      const nowMs = await new Promise<number>((resolve) => shown.requestAnimationFrame(resolve))
      found.push(nowMs - beforeMs)
      beforeMs = nowMs
    }
    return found
  }, SECONDS * 1_000)
  const takenMs = gaps.reduce((sum, gap) => sum + gap, 0)
  return {
    fps: Math.round((gaps.length * 10_000) / takenMs) / 10,
    worstMs: Math.round(Math.max(...gaps)),
    late: gaps.filter((gap) => gap > LATE_MS * 1.05).length,
  }
}

/** What each row of the list says of its machine's envelopes. */
async function countsIn(page: Page): Promise<number[]> {
  const texts = await page.locator('.cell-last .note').allTextContents()
  return texts.map((text) => Number(text.replace(/\D/g, '')))
}

async function changesOf(page: Page): Promise<number> {
  const [before, startMs] = [await countsIn(page), performance.now()]
  await sleep(COUNTED_SECONDS * 1_000)
  const after = await countsIn(page)
  const seconds = (performance.now() - startMs) / 1_000
  const grown = after.reduce((sum, count, index) => sum + count - (before[index] ?? 0), 0)
  return Math.round(grown / seconds)
}

async function untilTrue(page: Page, url: string): Promise<void> {
  const wanted = (await createClient({ url }).machines()).map(({ envelopes }) => envelopes)
  if (wanted.some((count) => count !== SENDING_SECONDS)) {
    throw new Error('The node did not log all that was sent.')
  }
  for (let second = 0; second < SETTLE_SECONDS; second += 1) {
    if ((await countsIn(page)).join() === wanted.join()) return
    await sleep(1_000)
  }
  throw new Error('The page does not show what the node has logged.')
}
