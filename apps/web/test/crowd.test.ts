import { connect, createServer, type Socket } from 'node:net'
import { createClient } from '@liquefy/client'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type NodeHost, startNodeProcess } from '../../../bench/load/node-host.ts'
import { type Crowd, gatherCrowd } from '../../../bench/overview/crowd.ts'
import { startBrowser } from './harness.ts'
import { visitIn } from './visit.ts'

/** As `npm run bench -- overview`, which counts frames with 500 machines. */
const MACHINES = 100
const SECONDS = 14

let node: NodeHost
let crowd: Crowd
let browser: Browser
let line: Awaited<ReturnType<typeof startLine>>

beforeAll(async () => {
  browser = await startBrowser()
  node = await startNodeProcess(MACHINES)
  crowd = await gatherCrowd(node, SECONDS)
  line = await startLine(Number(new URL(node.url).port))
}, 300_000)

afterAll(async () => {
  await crowd?.stop()
  line?.close()
  await browser?.close()
  await node?.stop()
}, 300_000)

/** A line to a port of this computer that can be cut. */
const startLine = async (port: number) => {
  const sockets = new Set<Socket>()
  let isCut = false
  const server = createServer((near) => {
    if (isCut) return near.destroy()
    const far = connect(port, '127.0.0.1')
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.pipe(other)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    cut() {
      isCut = true
      for (const socket of sockets) socket.destroy()
    },
    mend() {
      isCut = false
    },
    close() {
      this.cut()
      server.close()
    },
  }
}

const countsIn = async (page: Page): Promise<number[]> => {
  const texts = await page.locator('.cell-last .note').allTextContents()
  return texts.map((text) => Number(text.replace(/\D/g, '')))
}

test('machines that change every second are followed by events alone, and a stream that was cut goes on without a gap', async () => {
  await visitIn(browser, new URL('/machines', line.url), async (page) => {
    await page
      .locator('.machine-table tbody tr')
      .nth(MACHINES - 1)
      .waitFor()
    await page.getByText('Live', { exact: true }).waitFor()
    expect(await countsIn(page)).toEqual(Array(MACHINES).fill(0))
    // The list is not read again: an event that is lost from here on is never made good.
    await page.context().route('**/v1/machines?*', (route) => route.abort())
    const sending = crowd.send()
    await expect.poll(async () => Math.max(...(await countsIn(page)))).toBeGreaterThan(2)

    line.cut()
    await page.getByText(/Not connected/).waitFor()
    const before = await logged()
    await expect.poll(async () => (await logged()) - before).toBeGreaterThan(MACHINES)
    line.mend()
    await page.getByText('Live', { exact: true }).waitFor()

    await sending
    const counts = (await createClient({ url: node.url }).machines()).map((one) => one.envelopes)
    expect(counts).toEqual(Array(MACHINES).fill(SECONDS))
    await expect.poll(() => countsIn(page), { timeout: 20_000 }).toEqual(counts)
  })
})

const logged = async () => (await createClient({ url: node.url }).status()).envelopes.logged
