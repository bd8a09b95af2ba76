import { type EnvelopeSummary, type RegistrationRequest, readRegistration } from '@liquefy/client'
import { keyId } from '@liquefy/protocol'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useMemo, useRef, useState } from 'react'
import { node } from '../../api.ts'
import { failureWords } from '../../failures/failure-words.ts'
import { outageWords, useOutage } from '../../failures/outage.tsx'
import { useDeployment, useEnvelopes, useMachineSoon } from '../../queries.ts'
import { useSession } from '../../session/use-session.ts'
import { Copyable } from '../../ui/copyable.tsx'
import { formatCount } from '../../ui/format.ts'
import { Empty } from '../../ui/states.tsx'
import { registerDevice } from '../../wallet/registering.ts'
import { useStep } from '../../wallet/use-step.tsx'
import { verdictWords } from '../trust/verdict-words.ts'
import { firstMeasuring, type Measuring, MeasuringFields, measuringProblems } from './measuring.tsx'

/** From a device with a key of its own to a machine that is seen measuring, step by step. */
export const OnboardingPage = () => {
  const owner = useSession()?.address
  return (
    <>
      <section className="head">
        <p className="crumb">
          <Link to="/">Overview</Link> / new machine
        </p>
        <h1>Add a machine</h1>
        <p className="lead">
          Its key never leaves the device. You register the public half, and own the machine.
        </p>
      </section>
      {owner === undefined ? (
        <Empty title="Sign in first">
          The machine will belong to the account that you sign in with: the button stands at the
          top.
        </Empty>
      ) : (
        <Steps key={owner} owner={owner} />
      )}
    </>
  )
}

const Steps = ({ owner }: { owner: string }) => {
  const [line, setLine] = useState('')
  const read = useMemo(() => readLine(line), [line])
  const { request } = read
  const [machineId, setMachineId] = useState<string>()
  const [measuring, setMeasuring] = useState<Measuring>(firstMeasuring)
  const isMeasurable = Object.keys(measuringProblems(measuring)).length === 0
  const first = useFirstReading(machineId)
  return (
    <ol className="steps">
      <Step number={1} title="A key on the device" done={request !== undefined}>
        <KeyStep owner={owner} line={line} onLine={setLine} read={read} />
      </Step>
      <Step number={2} title="Register it on the ledger" done={machineId !== undefined}>
        {request ? (
          <RegisterStep key={request.proof} request={request} onRegistered={setMachineId} />
        ) : null}
      </Step>
      <Step number={3} title="Its name, and what it measures" done={first !== undefined}>
        {machineId === undefined ? null : (
          <>
            <NameForm machineId={machineId} />
            <MeasuringFields measuring={measuring} onChange={setMeasuring} />
          </>
        )}
      </Step>
      <Step number={4} title="What the device runs" done={first !== undefined}>
        {machineId === undefined || !isMeasurable ? null : (
          <DeviceStep machineId={machineId} measuring={measuring} />
        )}
      </Step>
      <Step number={5} title="A first reading" done={first !== undefined}>
        {machineId === undefined ? null : (
          <ReadingStep machineId={machineId} measuring={measuring} first={first} />
        )}
      </Step>
    </ol>
  )
}

const Step = ({
  number,
  title,
  done,
  children,
}: {
  number: number
  title: string
  done: boolean
  children: ReactNode
}) => (
  <li className="card step">
    <h2>
      <span className="step-number" aria-hidden="true">
        {done ? '✓' : number}
      </span>
      {title}
      {done ? <span className="visually-hidden">, done</span> : null}
    </h2>
    {children ?? <p className="note">After the step before.</p>}
  </li>
)

const folder = './my-machine'

interface ReadLine {
  request?: RegistrationRequest
  problem?: string
}

const readLine = (text: string): ReadLine => {
  if (text.trim() === '') return {}
  try {
    return { request: readRegistration(text.trim()) }
  } catch (error) {
    return { problem: failureWords(error) }
  }
}

const KeyStep = ({
  owner,
  line,
  onLine,
  read: { request, problem },
}: {
  owner: string
  line: string
  onLine: (text: string) => void
  read: ReadLine
}) => {
  return (
    <div className="form form-wide">
      <Copyable
        label="On the device"
        text={[
          `npx liquefy machine keygen ${folder}`,
          `LIQUEFY_URL=${window.location.origin} npx liquefy machine prove ${folder} --owner ${owner}`,
        ].join('\n')}
      />
      <label className="field">
        <span>The line that the second command printed</span>
        <textarea
          className="code"
          rows={3}
          value={line}
          spellCheck={false}
          onChange={({ target }) => onLine(target.value)}
        />
      </label>
      <div role="status">
        {problem ? <p className="problem-words">{problem}</p> : null}
        {request ? (
          <p className="good-words">
            {request.key.curve}, {keyId(request.key)}: the device has proved that it holds it.
          </p>
        ) : null}
      </div>
    </div>
  )
}

const RegisterStep = ({
  request,
  onRegistered,
}: {
  request: RegistrationRequest
  onRegistered: (machineId: string) => void
}) => {
  /** Registered, and perhaps not active yet: a key is registered once. */
  const registered = useRef<bigint>(undefined)
  const step = useStep(
    async (wallets, say) => {
      const machineId = await registerDevice(wallets, request, registered, say)
      onRegistered(machineId)
      return machineId
    },
    (machineId) => `Machine ${machineId} is registered and active.`,
  )
  return (
    <div className="form">
      {step.outcome === undefined ? (
        <button type="button" className="button" disabled={step.isBlocked} onClick={step.start}>
          Register and make active
        </button>
      ) : null}
      {step.words}
    </div>
  )
}

const DeviceStep = ({ machineId, measuring }: { machineId: string; measuring: Measuring }) => {
  const { stream, unit } = measuring
  const mqttUrl = useDeployment().data?.mqttUrl
  return (
    <div className="form form-wide">
      <Copyable
        label="On the device: which machine it is"
        text={`LIQUEFY_URL=${window.location.origin} npx liquefy machine adopt ${folder} ${machineId}`}
      />
      <Copyable
        label={`device.ts: measures, signs, and publishes over ${mqttUrl ?? 'MQTT'}`}
        text={[
          `import { openMachine } from '@liquefy/machine'`,
          '',
          `const machine = await openMachine({ folder: '${folder}' })`,
          `await machine.sample('${stream}', { unit: '${unit}', value: 12n })`,
          'await machine.flushed()',
          'await machine.close()',
        ].join('\n')}
      />
    </div>
  )
}

const NameForm = ({ machineId }: { machineId: string }) => {
  const [name, setName] = useState('')
  const queries = useQueryClient()
  const isAway = useOutage() !== undefined
  const naming = useMutation({
    mutationFn: () => node.nameMachine(machineId, name.trim()),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['machine', machineId] })
      await queries.invalidateQueries({ queryKey: ['machines'] })
    },
  })
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault()
        naming.mutate()
      }}
    >
      <label className="field">
        <span>What people call it</span>
        <input
          value={name}
          maxLength={60}
          autoComplete="off"
          placeholder="Pump in hall 2"
          onChange={({ target }) => setName(target.value)}
        />
      </label>
      <button
        type="submit"
        className="button"
        disabled={name.trim() === '' || naming.isPending || isAway}
      >
        Keep the name
      </button>
      <div role="status">
        {naming.isSuccess ? <p className="good-words">Kept.</p> : null}
        {isAway ? <p className="note">{outageWords}</p> : null}
        {naming.isError ? <p className="problem-words">{naming.error.message}</p> : null}
      </div>
    </form>
  )
}

/** The newest envelope of a machine that was just registered, as soon as there is one. */
const useFirstReading = (machineId: string | undefined) => useEnvelopes(machineId ?? null).data?.[0]

const ReadingStep = ({
  machineId,
  measuring,
  first,
}: {
  machineId: string
  measuring: Measuring
  first: EnvelopeSummary | undefined
}) => {
  const machine = useMachineSoon(machineId).data
  const link = (
    <Link to="/machines/$machineId" params={{ machineId }}>
      {machine?.name ?? `machine ${machineId}`}
    </Link>
  )
  return (
    <div role="status">
      {first ? (
        <>
          <p className="good-words">
            {first.stream}, number {formatCount(first.seq)}: {verdictWords(first.code)}. {link} is
            seen measuring.
          </p>
          <p className="after">
            <Link
              to="/agreements/new"
              search={{ machine: machineId, ...measuring }}
              className="button"
            >
              Propose an agreement, so that it earns
            </Link>
          </p>
        </>
      ) : (
        <p className="note">
          Waiting for {link} to send its first signed envelope. It shows here within a second of its
          arrival; what is refused shows on the page of the machine, with the reason.
        </p>
      )}
    </div>
  )
}
