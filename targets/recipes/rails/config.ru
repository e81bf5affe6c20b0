# Rails in one file: a login and a note, both in the session. SESSIONS says where sessions live: memory, redis or cookie.
require "logger"
require "action_controller/railtie"
require "active_support/cache"

class Notes < Rails::Application
  config.eager_load = false
  config.consider_all_requests_local = false
  config.hosts.clear
  config.logger = Logger.new($stderr, level: Logger::WARN)
  config.secret_key_base = ENV["SECRET_KEY_BASE"] || SecureRandom.hex(64) # a key per process: the other usual defect
  case ENV.fetch("SESSIONS", "memory")
  when "memory"
    config.cache_store = :memory_store
    config.session_store :cache_store, key: "_notes"
  when "redis"
    config.cache_store = :redis_cache_store, { url: ENV["REDIS_URL"] }
    config.session_store :cache_store, key: "_notes"
  else
    config.session_store :cookie_store, key: "_notes"
  end
end

class NotesController < ActionController::Base
  before_action(only: %i[me show update]) { redirect_to "/login" unless session[:user] }

  def healthz = render(plain: "ok")
  def form = render(html: '<form method="post"><input name="user"><input name="password"></form>'.html_safe)

  def login
    return head(:forbidden) unless params[:password] == "pw"
    reset_session
    session[:user] = params[:user]
    redirect_to "/me", status: 303
  end

  def me = render(json: { user: session[:user] })
  def show = render(json: { text: session[:note] })

  def update
    session[:note] = params[:text]
    head :no_content
  end
end

Rails.application.initialize!
Rails.application.routes.draw do
  get "healthz", to: "notes#healthz"
  get "login", to: "notes#form"
  post "login", to: "notes#login"
  get "me", to: "notes#me"
  get "note", to: "notes#show"
  put "note", to: "notes#update"
end
run Rails.application
