import { createRootRoute, createRoute, createRouter } from '@tanstack/react-router'
import { Crash } from './failures/crash.tsx'
import { lazyPart } from './failures/lazy-part.ts'
import { MachinePage } from './pages/connect/machine.tsx'
import { readFilter } from './pages/connect/machine-filter.ts'
import { machineSearchOf } from './pages/connect/machine-search.ts'
import { calendarSearchOf } from './pages/cooperate/calendar-search.ts'
import { readMarketFilter } from './pages/cooperate/market-filter.ts'
import { vaultSearchOf } from './pages/cooperate/vault-search.ts'
import { NotFound } from './pages/not-found.tsx'
import { Overview } from './pages/overview.tsx'
import { AgreementPage } from './pages/transact/agreement.tsx'
import { offerSearchOf } from './pages/transact/offer-search.ts'
import { Shell } from './ui/shell.tsx'

const root = createRootRoute({
  component: Shell,
  notFoundComponent: NotFound,
  errorComponent: Crash,
})
const overview = createRoute({ getParentRoute: () => root, path: '/', component: Overview })
const machines = createRoute({
  getParentRoute: () => root,
  path: '/machines',
  validateSearch: readFilter,
  component: lazyPart(async () => (await import('./pages/connect/machines.tsx')).MachinesPage),
})
const onboarding = createRoute({
  getParentRoute: () => root,
  path: '/machines/new',
  component: lazyPart(async () => (await import('./pages/connect/onboarding.tsx')).OnboardingPage),
})
const machine = createRoute({
  getParentRoute: () => root,
  path: '/machines/$machineId',
  validateSearch: machineSearchOf,
  component: MachinePage,
})
const calendar = createRoute({
  getParentRoute: () => root,
  path: '/machines/$machineId/calendar',
  validateSearch: calendarSearchOf,
  component: lazyPart(
    async () => (await import('./pages/cooperate/calendar-page.tsx')).CalendarPage,
  ),
})
const agreement = createRoute({
  getParentRoute: () => root,
  path: '/agreements/$agreementId',
  component: AgreementPage,
})
const settlement = createRoute({
  getParentRoute: () => root,
  path: '/agreements/$agreementId/settlements/$place',
  component: lazyPart(
    async () => (await import('./pages/transact/settlement-page.tsx')).SettlementPage,
  ),
})
const agreements = createRoute({
  getParentRoute: () => root,
  path: '/agreements',
  component: lazyPart(
    async () => (await import('./pages/transact/agreements-page.tsx')).AgreementsPage,
  ),
})
const offer = createRoute({
  getParentRoute: () => root,
  path: '/agreements/new',
  validateSearch: offerSearchOf,
  component: lazyPart(async () => (await import('./pages/transact/offer-page.tsx')).OfferPage),
})
const proposal = createRoute({
  getParentRoute: () => root,
  path: '/proposals/$proposalId',
  component: lazyPart(
    async () => (await import('./pages/transact/proposal-page.tsx')).ProposalPage,
  ),
})
const market = createRoute({
  getParentRoute: () => root,
  path: '/market',
  validateSearch: readMarketFilter,
  component: lazyPart(async () => (await import('./pages/cooperate/market.tsx')).MarketPage),
})
const evidence = createRoute({
  getParentRoute: () => root,
  path: '/evidence/$logIndex',
  component: lazyPart(async () => (await import('./pages/trust/evidence.tsx')).EvidencePage),
})
const check = createRoute({
  getParentRoute: () => root,
  path: '/check',
  component: lazyPart(async () => (await import('./pages/trust/check-page.tsx')).CheckPage),
})

const operation = createRoute({
  getParentRoute: () => root,
  path: '/operation',
  component: lazyPart(async () => (await import('./pages/operation/operation.tsx')).OperationPage),
})
const myDetails = createRoute({
  getParentRoute: () => root,
  path: '/me',
  component: lazyPart(async () => (await import('./pages/transact/my-details.tsx')).MyDetailsPage),
})
const vaults = createRoute({
  getParentRoute: () => root,
  path: '/vaults',
  component: lazyPart(async () => (await import('./pages/cooperate/vaults-page.tsx')).VaultsPage),
})
const newVault = createRoute({
  getParentRoute: () => root,
  path: '/vaults/new',
  validateSearch: vaultSearchOf,
  component: lazyPart(
    async () => (await import('./pages/cooperate/new-vault-page.tsx')).NewVaultPage,
  ),
})
const vault = createRoute({
  getParentRoute: () => root,
  path: '/vaults/$vault',
  component: lazyPart(async () => (await import('./pages/cooperate/vault-page.tsx')).VaultPage),
})
const vaultProposals = createRoute({
  getParentRoute: () => root,
  path: '/vaults/$vault/proposals',
  component: lazyPart(
    async () => (await import('./pages/cooperate/vault-proposals-page.tsx')).VaultProposalsPage,
  ),
})
const newVaultProposal = createRoute({
  getParentRoute: () => root,
  path: '/vaults/$vault/proposals/new',
  component: lazyPart(
    async () => (await import('./pages/cooperate/new-proposal-page.tsx')).NewProposalPage,
  ),
})
const vaultProposal = createRoute({
  getParentRoute: () => root,
  path: '/vaults/$vault/proposals/$proposalId',
  component: lazyPart(
    async () => (await import('./pages/cooperate/vault-proposal-page.tsx')).VaultProposalPage,
  ),
})
const portfolio = createRoute({
  getParentRoute: () => root,
  path: '/portfolio',
  component: lazyPart(
    async () => (await import('./pages/cooperate/portfolio-page.tsx')).PortfolioPage,
  ),
})

export const router = createRouter({
  routeTree: root.addChildren([
    overview,
    machines,
    onboarding,
    machine,
    calendar,
    agreements,
    offer,
    proposal,
    agreement,
    settlement,
    market,
    evidence,
    check,
    operation,
    myDetails,
    vaults,
    newVault,
    vault,
    vaultProposals,
    newVaultProposal,
    vaultProposal,
    portfolio,
  ]),
  defaultErrorComponent: Crash,
  scrollRestoration: true,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
